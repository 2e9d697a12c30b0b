# A module that obtains a token for itself. The root module configures the
# provider, and hands that configuration down.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

provider "ixtoken" {
  alias        = "production"
  min_validity = "10m"
}

module "ports" {
  source = "./ports"

  providers = {
    ixtoken = ixtoken.production
  }
}
