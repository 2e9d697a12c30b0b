# A refresh token that outlives the run, in HashiCorp Vault: written through a
# write-only argument (Terraform 1.11 or newer), read back as an ephemeral value
# by the next run. Before the first run, make the secret without a token in it:
#
#   vault kv put -mount=secret cloudlx refresh_token=

terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
    vault = {
      source = "hashicorp/vault"
    }
  }
}

ephemeral "vault_kv_secret_v2" "cloudlx" {
  mount = "secret"
  name  = "cloudlx"
}

# CLOUDLX_BASE_URL, CLOUDLX_CLIENT_ID and CLOUDLX_CLIENT_SECRET are set.
ephemeral "cloudlx_access_token" "main" {
  provider = ixtoken

  # A refresh token works once. The plan, which stores nothing, must not spend
  # it: it uses the client credentials.
  previous_refresh_token = terraform.applying ? ephemeral.vault_kv_secret_v2.cloudlx.data.refresh_token : null
}

resource "vault_kv_secret_v2" "cloudlx" {
  mount        = "secret"
  name         = "cloudlx"
  disable_read = true # or the provider would read it again for every plan

  data_json_wo = jsonencode({
    refresh_token = ephemeral.cloudlx_access_token.main.refresh_token
  })

  # Terraform does not see that a write-only argument has changed; another
  # version tells it. Every apply stores the token that it was given.
  data_json_wo_version = tonumber(formatdate("YYYYMMDDhhmmss", plantimestamp()))
}
