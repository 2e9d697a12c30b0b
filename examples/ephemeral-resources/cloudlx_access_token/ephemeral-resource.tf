terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# CLOUDLX_BASE_URL, CLOUDLX_CLIENT_ID and CLOUDLX_CLIENT_SECRET are set.
ephemeral "cloudlx_access_token" "example" {
  provider = ixtoken
}

variable "cloudlx_refresh_token" {
  description = "The refresh token of an earlier run; empty: none."
  type        = string
  default     = ""
  ephemeral   = true
  sensitive   = true
}

# A refresh token works once, and the plan opens this block too. So only the
# apply spends it; the plan uses the client credentials.
ephemeral "cloudlx_access_token" "refreshed" {
  provider               = ixtoken
  previous_refresh_token = terraform.applying ? var.cloudlx_refresh_token : null
}
