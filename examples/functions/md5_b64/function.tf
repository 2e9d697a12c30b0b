terraform {
  required_providers {
    ixtoken = {
      source = "ixtoken/ixtoken"
    }
  }
}

# The same as: printf %s 'correct horse' | openssl md5 -binary | base64
output "encoded" {
  value = provider::ixtoken::md5_b64("correct horse")
}
