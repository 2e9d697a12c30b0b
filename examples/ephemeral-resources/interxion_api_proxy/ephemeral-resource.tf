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
  description = "The URL of the API, with its version, such as https://ix-api.example/api/v2."
  type        = string
}

# The login URL, the client id and the client secret come from the environment.
ephemeral "interxion_api_proxy" "main" {
  provider = ixtoken
  upstream = var.ix_api_url
}

provider "restapi" {
  uri = ephemeral.interxion_api_proxy.main.url
}
