# What the recording in README.md shows: "make recording" runs it in the shell of
# "make shell lifetime=4s". Clearing the screen starts and ends the recording.
set -e
cli=$(command -v terraform >/dev/null && echo terraform || echo tofu)
# The tokens last for four seconds, so the provider must not warn of short ones.
echo 'provider "ixtoken" { min_validity = "1s" }' >with-equinix-provider/short.tf
(cd with-equinix-provider && $cli init) >/dev/null

show() {
  printf '\033[32m$\033[0m \033[1m%s\033[0m\n' "$1"
  sleep 1
  eval "$1"
  echo
  sleep 1
}

printf '\033[2J'
show "grep -A 8 '^ephemeral' with-equinix-provider/main.tf"
show "cd with-equinix-provider && $cli apply -auto-approve"
show "cd .. && sh renewal.sh"
printf '\033[2J'
