# An apply that takes longer than a token lasts. The API proxy puts a valid token on each request of the other provider, which
# is configured with the API proxy's URL and needs no token of its own.

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
  description = "The URL of Interxion's IX-API, with its version, such as https://ix-api.example/api/v2."
  type        = string
}

ephemeral "interxion_api_proxy" "main" {
  provider = ixtoken
  upstream = var.ix_api_url
}

provider "restapi" {
  uri                  = ephemeral.interxion_api_proxy.main.url
  write_returns_object = true
}

resource "restapi_object" "contact" {
  path = "/contacts"
  data = jsonencode({
    managing_account   = "1"
    consuming_account  = "1"
    external_reference = "long apply"
  })
}
