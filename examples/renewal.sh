#!/bin/sh
# Calls an API once a second, ten times: with one token, and through the API proxy. In
# the shell of "make shell lifetime=4s", the token ends while this runs. The API proxy
# obtains new ones.

# The header comes from standard input, because other users can read a program's
# arguments. Behind the API proxy, a request needs none.
calls='
call() { curl --silent --header @- --output /dev/null --write-out "%{http_code}" "$1/fabric/v4/ports"; }
echo "second  with one token  through the API proxy"
for second in 1 2 3 4 5 6 7 8 9 10; do
  token=$(printf "Authorization: %s" "$EQUINIX_AUTHORIZATION" | call "$EQUINIX_API_ENDPOINT")
  proxy=$(call "$EQUINIX_API_URL" < /dev/null)
  printf "%6d  %-14s  %s\n" "$second" "$token" "$proxy"
  sleep 1
done
if [ "$token" = 200 ]; then
  echo "The token lasts longer than this script. Start it in \"make shell lifetime=4s\"."
fi'

# The API proxy obtains tokens too, so "exec" leaves it the credentials.
ixtoken exec equinix --min-validity 1s --keep-credentials -- \
  ixtoken proxy equinix --min-validity 1s -- sh -c "$calls"
