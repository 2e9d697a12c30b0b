# A token without a client secret: a private key signs an assertion for each request.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

variable "key_file" {
  description = "The path of the client's private key in PEM. The server knows the public key."
  type        = string
  default     = "client.pem"
}

variable "oauth2_api_url" {
  description = "The URL of the API behind the authorization server."
  type        = string
  default     = "https://api.example"
}

# OAUTH2_TOKEN_URL and OAUTH2_CLIENT_ID are set.
ephemeral "oauth2_access_token" "main" {
  provider        = ixtoken
  scopes          = ["things.read"]
  client_key_file = var.key_file
}

resource "terraform_data" "things" {
  # Runs in every apply. Leave this out for a step that is to run once.
  triggers_replace = plantimestamp()

  provisioner "local-exec" {
    # The header reaches curl through its standard input, because every user of
    # the machine can read a command line.
    command = <<-EOT
      printf 'Authorization: %s\n' "$AUTHORIZATION" |
        curl --silent --show-error --fail --header @- --output things.json "$URL/things"
    EOT
    environment = {
      AUTHORIZATION = ephemeral.oauth2_access_token.main.authorization
      URL           = var.oauth2_api_url
    }
  }
}
