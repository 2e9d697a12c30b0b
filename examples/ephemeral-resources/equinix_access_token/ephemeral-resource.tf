terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are set.
ephemeral "equinix_access_token" "example" {
  provider = ixtoken
}

resource "terraform_data" "ports" {
  provisioner "local-exec" {
    # The header reaches curl through its standard input, because every user of
    # the machine can read a command line.
    command = <<-EOT
      printf 'Authorization: %s\n' "$AUTHORIZATION" |
        curl --silent --show-error --fail --header @- --output ports.json \
          "$${EQUINIX_API_ENDPOINT:-https://api.equinix.com}/fabric/v4/ports"
    EOT
    environment = {
      AUTHORIZATION = ephemeral.equinix_access_token.example.authorization
    }
  }
}
