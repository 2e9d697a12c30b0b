# What `make demo` applies to show a run that takes longer than a token lasts. The credentials come from the environment.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

variable "call" {
  description = "The command that calls an API several times."
  type        = string
}

variable "ix_api_url" {
  description = "The URL of Interxion's IX-API."
  type        = string
}

ephemeral "interxion_access_token" "demo" {
  provider = ixtoken
}

ephemeral "interxion_api_proxy" "demo" {
  provider = ixtoken
  upstream = var.ix_api_url
}

resource "terraform_data" "token" {
  provisioner "local-exec" {
    command = "${var.call} token"
    environment = {
      API_URL       = "${var.ix_api_url}/accounts"
      AUTHORIZATION = ephemeral.interxion_access_token.demo.authorization
    }
  }
}

resource "terraform_data" "proxy" {
  provisioner "local-exec" {
    command = "${var.call} proxy"
    environment = {
      API_URL       = "${ephemeral.interxion_api_proxy.demo.url}/accounts"
      AUTHORIZATION = ""
    }
  }
}
