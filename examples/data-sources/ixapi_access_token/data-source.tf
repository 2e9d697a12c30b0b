terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# IX_API_HOST, IX_API_KEY and IX_API_SECRET are set.
data "ixapi_access_token" "example" {
  provider = ixtoken
}

# Sensitive, but in the state: whoever can read that can use the token.
output "authorization" {
  value     = data.ixapi_access_token.example.authorization
  sensitive = true
}

output "expires_at" {
  value = data.ixapi_access_token.example.expires_at
}
