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

# The URL of the portal, the client id and the client secret come from the environment. Requests go to that URL.
ephemeral "cloudlx_api_proxy" "main" {
  provider = ixtoken
}

provider "restapi" {
  uri = ephemeral.cloudlx_api_proxy.main.url
}
