terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# OAUTH2_TOKEN_URL, OAUTH2_CLIENT_ID and OAUTH2_CLIENT_SECRET are set.
ephemeral "oauth2_access_token" "example" {
  provider = ixtoken
}

variable "gateway_key" {
  description = "The key that the gateway in front of the server wants; empty: none."
  type        = string
  default     = ""
  ephemeral   = true
  sensitive   = true
}

# What another server may want.
ephemeral "oauth2_access_token" "another_way" {
  provider                   = ixtoken
  token_endpoint_auth_method = "client_secret_post"
  scopes                     = ["things.read"]
  audience                   = "https://api.example/"
  parameters                 = { resource = "https://api.example/things" }
  headers                    = { X-Gateway-Key = var.gateway_key }
}
