terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# MEGAPORT_ENVIRONMENT, MEGAPORT_ACCESS_KEY and MEGAPORT_SECRET_KEY are set.
data "megaport_access_token" "example" {
  provider = ixtoken
}

# Sensitive, but in the state: whoever can read that can use the token.
output "authorization" {
  value     = data.megaport_access_token.example.authorization
  sensitive = true
}

output "expires_at" {
  value = data.megaport_access_token.example.expires_at
}
