# Feeding a token to another provider: Mastercard/restapi sends the header with
# every request. The arguments of a provider block may be ephemeral, whatever
# the provider, so the token is in no state and no plan.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
    restapi = {
      source = "Mastercard/restapi"
    }
  }
}

variable "ix_api_url" {
  description = "The URL of the IX-API, such as https://host.example/api/v2."
  type        = string
}

# INTERXION_LOGIN_URL, INTERXION_CLIENT_ID and INTERXION_CLIENT_SECRET are set.
ephemeral "interxion_access_token" "main" {
  provider     = ixtoken
  min_validity = "30m"
}

provider "restapi" {
  uri                  = var.ix_api_url
  write_returns_object = true
  headers = {
    Authorization = ephemeral.interxion_access_token.main.authorization
  }
}

resource "restapi_object" "contact" {
  path = "/contacts"
  data = jsonencode({
    managing_account   = "1"
    consuming_account  = "1"
    external_reference = "noc"
  })
}
