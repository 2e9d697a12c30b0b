# Every module has a required_providers of its own: without it Terraform takes
# "ixtoken" for "hashicorp/ixtoken" here, whatever the root module says.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are set.
ephemeral "equinix_access_token" "this" {
  provider = ixtoken
}

resource "terraform_data" "ports" {
  provisioner "local-exec" {
    command = <<-EOT
      printf 'Authorization: %s\n' "$AUTHORIZATION" |
        curl --silent --show-error --fail --header @- --output ports.json \
          "$${EQUINIX_API_ENDPOINT:-https://api.equinix.com}/fabric/v4/ports"
    EOT
    environment = {
      AUTHORIZATION = ephemeral.equinix_access_token.this.authorization
    }
  }
}
