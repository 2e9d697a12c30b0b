terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# CLOUDLX_BASE_URL, CLOUDLX_CLIENT_ID and CLOUDLX_CLIENT_SECRET are set.
data "cloudlx_access_token" "example" {
  provider = ixtoken
}

# Sensitive, but in the state: whoever can read that can use the token.
output "authorization" {
  value     = data.cloudlx_access_token.example.authorization
  sensitive = true
}

output "expires_at" {
  value = data.cloudlx_access_token.example.expires_at
}
