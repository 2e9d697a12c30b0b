# An API called with the data source "http" of hashicorp/http. A data source
# takes no ephemeral value, so the token comes from a data source too. It is in
# the state then, twice: in its own result, and in the headers of the request.

terraform {
  required_providers {
    http = {
      source = "hashicorp/http"
    }
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

variable "api_url" {
  description = "The URL of the Equinix API."
  type        = string
  default     = "https://api.equinix.com"
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are set.
data "equinix_access_token" "main" {
  provider = ixtoken
  base_url = var.api_url
}

data "http" "ports" {
  url = "${var.api_url}/fabric/v4/ports"
  request_headers = {
    Authorization = data.equinix_access_token.main.authorization
  }
}

output "ports" {
  value = [for port in jsondecode(data.http.ports.response_body).data : port.name]
}
