# What `make demo` applies. The credentials and URLs come from the environment.

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

ephemeral "interxion_access_token" "demo" {
  provider = ixtoken
}

ephemeral "equinix_access_token" "demo" {
  provider = ixtoken
}

ephemeral "cloudlx_access_token" "demo" {
  provider = ixtoken
}

ephemeral "digitalrealty_access_token" "demo" {
  provider = ixtoken
}

ephemeral "megaport_access_token" "demo" {
  provider = ixtoken
}

ephemeral "ixapi_access_token" "demo" {
  provider = ixtoken
}

ephemeral "oauth2_access_token" "demo" {
  provider = ixtoken
}

variable "call" {
  description = "The command that calls a protected API with the token in its environment."
  type        = string
}

variable "apis" {
  description = "The URL of each platform's protected API."
  type        = map(string)
}

resource "terraform_data" "interxion" {
  provisioner "local-exec" {
    command = "${var.call} Interxion"
    environment = {
      API_URL       = var.apis["Interxion"]
      AUTHORIZATION = ephemeral.interxion_access_token.demo.authorization
      EXPIRES_IN    = ephemeral.interxion_access_token.demo.expires_in
    }
  }
}

resource "terraform_data" "equinix" {
  provisioner "local-exec" {
    command = "${var.call} Equinix"
    environment = {
      API_URL       = var.apis["Equinix"]
      AUTHORIZATION = ephemeral.equinix_access_token.demo.authorization
      EXPIRES_IN    = ephemeral.equinix_access_token.demo.expires_in
    }
  }
}

resource "terraform_data" "cloudlx" {
  provisioner "local-exec" {
    command = "${var.call} CloudLX"
    environment = {
      API_URL       = var.apis["CloudLX"]
      AUTHORIZATION = ephemeral.cloudlx_access_token.demo.authorization
      EXPIRES_IN    = ephemeral.cloudlx_access_token.demo.expires_in
    }
  }
}

resource "terraform_data" "digitalrealty" {
  provisioner "local-exec" {
    command = "${var.call} \"Digital Realty\""
    environment = {
      API_URL       = var.apis["Digital Realty"]
      AUTHORIZATION = ephemeral.digitalrealty_access_token.demo.authorization
      EXPIRES_IN    = ephemeral.digitalrealty_access_token.demo.expires_in
    }
  }
}

resource "terraform_data" "megaport" {
  provisioner "local-exec" {
    command = "${var.call} \"Megaport\""
    environment = {
      API_URL       = var.apis["Megaport"]
      AUTHORIZATION = ephemeral.megaport_access_token.demo.authorization
      EXPIRES_IN    = ephemeral.megaport_access_token.demo.expires_in
    }
  }
}

resource "terraform_data" "ixapi" {
  provisioner "local-exec" {
    command = "${var.call} \"IX-API\""
    environment = {
      API_URL       = var.apis["IX-API"]
      AUTHORIZATION = ephemeral.ixapi_access_token.demo.authorization
      EXPIRES_IN    = ephemeral.ixapi_access_token.demo.expires_in
    }
  }
}

resource "terraform_data" "oauth2" {
  provisioner "local-exec" {
    command = "${var.call} OAuth2"
    environment = {
      API_URL       = var.apis["OAuth2"]
      AUTHORIZATION = ephemeral.oauth2_access_token.demo.authorization
      EXPIRES_IN    = ephemeral.oauth2_access_token.demo.expires_in
    }
  }
}

variable "ix_api_url" {
  description = "The URL of Interxion's IX-API."
  type        = string
}

provider "restapi" {
  uri                  = var.ix_api_url
  write_returns_object = true
  headers = {
    Authorization = ephemeral.interxion_access_token.demo.authorization
  }
}

resource "restapi_object" "contact" {
  path = "/contacts"
  data = jsonencode({
    managing_account   = "1"
    consuming_account  = "1"
    external_reference = "demo"
  })
}
