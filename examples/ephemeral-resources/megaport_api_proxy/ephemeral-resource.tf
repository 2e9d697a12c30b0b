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

# The environment, the access key and the secret key come from the environment variables. Requests go to upstream.
ephemeral "megaport_api_proxy" "main" {
  provider = ixtoken
  upstream = "https://api.megaport.com"
}

provider "restapi" {
  uri = ephemeral.megaport_api_proxy.main.url
}
