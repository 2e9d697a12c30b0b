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

variable "oauth2_api_url" {
  description = "The URL of the API, such as https://api.example/v1."
  type        = string
}

# The token URL, the client id and the client secret come from the environment.
ephemeral "oauth2_api_proxy" "main" {
  provider = ixtoken
  upstream = var.oauth2_api_url
}

provider "restapi" {
  uri = ephemeral.oauth2_api_proxy.main.url
}
