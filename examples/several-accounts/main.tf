# Two accounts of one platform. Each configuration of the provider has one set
# of credentials; an alias makes another.

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

variable "lab_client_id" {
  description = "The consumer key of the lab's app."
  type        = string
  ephemeral   = true
}

variable "lab_client_secret" {
  description = "The consumer secret of the lab's app."
  type        = string
  ephemeral   = true
  sensitive   = true
}

# EQUINIX_API_CLIENTID and EQUINIX_API_CLIENTSECRET are those of production,
# TF_VAR_lab_client_id and TF_VAR_lab_client_secret those of the lab.
provider "ixtoken" {}

provider "ixtoken" {
  alias = "lab"

  equinix = {
    client_id     = var.lab_client_id
    client_secret = var.lab_client_secret
  }
}

ephemeral "equinix_access_token" "production" {
  provider = ixtoken
}

ephemeral "equinix_access_token" "lab" {
  provider = ixtoken.lab
}

# A single block does without an alias: it takes the same arguments itself.
ephemeral "equinix_access_token" "lab_too" {
  provider      = ixtoken
  client_id     = var.lab_client_id
  client_secret = var.lab_client_secret
}
