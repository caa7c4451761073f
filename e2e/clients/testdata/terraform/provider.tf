terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  max_retries = 1
}

# The change that the test applies.
variable "change" {
  default = "before"
}
