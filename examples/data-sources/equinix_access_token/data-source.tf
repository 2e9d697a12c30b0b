terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are set.
data "equinix_access_token" "example" {
  provider = ixtoken
}

# Sensitive, but in the state: whoever can read that can use the token.
output "authorization" {
  value     = data.equinix_access_token.example.authorization
  sensitive = true
}

output "expires_at" {
  value = data.equinix_access_token.example.expires_at
}
