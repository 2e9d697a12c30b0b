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

# The client id and the client secret come from the environment. Requests go to base_url.
ephemeral "digitalrealty_api_proxy" "main" {
  provider = ixtoken
}

provider "restapi" {
  uri = ephemeral.digitalrealty_api_proxy.main.url
}
