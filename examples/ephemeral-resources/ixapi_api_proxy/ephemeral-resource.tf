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

# The API key and the API secret come from the environment. Requests go to base_url.
ephemeral "ixapi_api_proxy" "main" {
  provider = ixtoken
}

provider "restapi" {
  uri = ephemeral.ixapi_api_proxy.main.url
}
