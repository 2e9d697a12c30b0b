# A step that calls an API with the token in its environment.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are set.
ephemeral "equinix_access_token" "main" {
  provider = ixtoken
}

resource "terraform_data" "ports" {
  # Runs in every apply. Leave this out for a step that is to run once.
  triggers_replace = plantimestamp()

  provisioner "local-exec" {
    # The header reaches curl through its standard input, because every user of
    # the machine can read a command line. Terraform shows nothing of what this
    # step prints, so the answer goes to a file. But if the step fails, Terraform
    # shows all of it: use no "curl --verbose" and no "set -x" here.
    command = <<-EOT
      printf 'Authorization: %s\n' "$AUTHORIZATION" |
        curl --silent --show-error --fail --header @- --output ports.json \
          "$${EQUINIX_API_ENDPOINT:-https://api.equinix.com}/fabric/v4/ports"
    EOT
    environment = {
      AUTHORIZATION = ephemeral.equinix_access_token.main.authorization
    }
  }
}
