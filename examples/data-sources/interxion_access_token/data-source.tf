terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# INTERXION_LOGIN_URL, INTERXION_CLIENT_ID and INTERXION_CLIENT_SECRET are set.
data "interxion_access_token" "example" {
  provider = ixtoken
}

# Sensitive, but in the state: whoever can read that can use the token.
output "authorization" {
  value     = data.interxion_access_token.example.authorization
  sensitive = true
}

output "expires_at" {
  value = data.interxion_access_token.example.expires_at
}
