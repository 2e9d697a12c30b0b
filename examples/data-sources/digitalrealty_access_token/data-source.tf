terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# DIGITALREALTY_CLIENT_ID and DIGITALREALTY_CLIENT_SECRET are set.
data "digitalrealty_access_token" "example" {
  provider = ixtoken
}

# Sensitive, but in the state: whoever can read that can use the token.
output "authorization" {
  value     = data.digitalrealty_access_token.example.authorization
  sensitive = true
}

output "expires_at" {
  value = data.digitalrealty_access_token.example.expires_at
}
