# A step that calls an API with the token in its environment.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# CLOUDLX_BASE_URL, CLOUDLX_CLIENT_ID and CLOUDLX_CLIENT_SECRET are set.
ephemeral "cloudlx_access_token" "main" {
  provider = ixtoken
}

resource "terraform_data" "services" {
  # Runs in every apply. Leave this out for a step that is to run once.
  triggers_replace = plantimestamp()

  provisioner "local-exec" {
    # The header reaches curl through its standard input, because every user of
    # the machine can read a command line. Terraform shows nothing of what this
    # step prints, so the answer goes to a file. But if the step fails, Terraform
    # shows all of it: use no "curl --verbose" and no "set -x" here.
    command = <<-EOT
      base=$${CLOUDLX_BASE_URL%/}
      printf 'Authorization: %s\n' "$AUTHORIZATION" |
        curl --silent --show-error --fail --header @- --output services.json \
          --header 'Accept: application/vnd.cloudlx.v1+json' \
          "$${base%/api}/api/services"
    EOT
    environment = {
      AUTHORIZATION = ephemeral.cloudlx_access_token.main.authorization
    }
  }
}
