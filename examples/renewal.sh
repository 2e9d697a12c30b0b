#!/bin/sh
# Calls an API ten times, a second apart: with one token, and through the API proxy.
# In the shell of "make shell lifetime=4s", the token ends while this runs. The proxy
# obtains new ones.

# The header comes from standard input, because other users can read a program's
# arguments. Behind the proxy, it is empty.
calls='
for second in 1 2 3 4 5 6 7 8 9 10; do
  printf "Authorization: %s" "${EQUINIX_AUTHORIZATION:-}" |
    curl --silent --header @- --output /dev/null --write-out "%{http_code}  " \
      "${EQUINIX_API_URL:-$EQUINIX_API_ENDPOINT}/fabric/v4/ports"
  sleep 1
done'

echo "with one token     $(ixtoken exec equinix --min-validity 1s -- sh -c "$calls")" &
echo "through the proxy  $(ixtoken proxy equinix --min-validity 1s -- sh -c "$calls")" &
wait
