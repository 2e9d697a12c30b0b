terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# IX_API_HOST, IX_API_KEY and IX_API_SECRET are set.
ephemeral "ixapi_access_token" "example" {
  provider = ixtoken
}

variable "ixapi_refresh_token" {
  description = "The refresh token of an earlier run; empty: none."
  type        = string
  default     = ""
  ephemeral   = true
  sensitive   = true
}

# A refresh token works once, and the plan opens this block too. So only the
# apply spends it; the plan uses the key and the secret.
ephemeral "ixapi_access_token" "refreshed" {
  provider               = ixtoken
  previous_refresh_token = terraform.applying ? var.ixapi_refresh_token : null
}
