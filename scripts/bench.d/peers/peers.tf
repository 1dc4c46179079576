# What is measured, as Terraform's: stack.yaml says the same (../peers.py says what differs). Its provider is of 2021, which
# knows neither BucketOwnerEnforced nor an idle policy, and whose buckets have their settings inside.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "3.39.0" }
  }
}

variable "endpoint" { type = string }

provider "aws" {
  region                      = "eu-west-3"
  access_key                  = "test"
  secret_key                  = "test"
  s3_force_path_style         = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {
    ec2 = var.endpoint
    emr = var.endpoint
    iam = var.endpoint
    s3  = var.endpoint
    sts = var.endpoint
  }
}

locals {
  name    = "bench-terraform"
  tags    = { purpose = "bench" }
  scripts = { first = ["eu"], second = [] }
  serves  = { service = "elasticmapreduce.amazonaws.com", nodes = "ec2.amazonaws.com" }
  # What EMR does with EC2, and what nodes do with their buckets: broader than stack.yaml's, and one statement each.
  may = {
    service = { actions = ["ec2:*", "iam:PassRole"], on = ["*"] }
    nodes   = { actions = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"], on = ["*"] }
  }
}

resource "aws_s3_bucket" "of" {
  for_each      = toset(["data", "logs"])
  bucket        = "${local.name}-${each.key}"
  tags          = local.tags
  force_destroy = true
  versioning {
    enabled = true
  }
  lifecycle_rule {
    id      = "expire"
    prefix  = "logs/"
    enabled = true
    expiration {
      days = 30
    }
  }
  server_side_encryption_configuration {
    rule {
      apply_server_side_encryption_by_default {
        sse_algorithm = "AES256"
      }
    }
  }
}

resource "aws_s3_bucket_public_access_block" "of" {
  for_each                = aws_s3_bucket.of
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "of" {
  for_each = aws_s3_bucket_public_access_block.of # S3 takes one change of a bucket at a time
  bucket   = each.value.bucket
  rule {
    object_ownership = "BucketOwnerPreferred"
  }
}

resource "aws_s3_bucket_object" "script" {
  for_each = local.scripts
  bucket   = aws_s3_bucket.of["data"].id
  key      = "bootstrap/${each.key}.sh"
  source   = "${path.module}/${each.key}.sh"
  etag     = filemd5("${path.module}/${each.key}.sh")
}

resource "aws_iam_role" "of" {
  for_each = local.serves
  name     = "${local.name}-${each.key}"
  tags     = local.tags
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = each.value } }]
  })
}

resource "aws_iam_role_policy" "of" {
  for_each = local.may
  name     = "least"
  role     = aws_iam_role.of[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = each.value.actions, Resource = each.value.on }]
  })
}

resource "aws_iam_instance_profile" "nodes" {
  name = "${local.name}-nodes"
  role = aws_iam_role.of["nodes"].name
}

resource "aws_emr_cluster" "main" {
  name                              = "${local.name}-main"
  release_label                     = "emr-7.12.0"
  applications                      = ["Spark"]
  log_uri                           = "s3://${aws_s3_bucket.of["logs"].bucket}/emr/"
  service_role                      = aws_iam_role.of["service"].arn
  keep_job_flow_alive_when_no_steps = true
  ebs_root_volume_size              = 15 # EMR's own, which the provider would take for a change
  tags                              = local.tags
  depends_on                        = [aws_iam_role_policy.of, aws_s3_bucket_object.script, aws_s3_bucket_ownership_controls.of]
  ec2_attributes {
    instance_profile = aws_iam_instance_profile.nodes.name # as EMR tells it back
  }
  master_instance_group {
    instance_type = "m5.xlarge"
  }
  core_instance_group {
    instance_type  = "m5.xlarge"
    instance_count = 2
  }
  dynamic "bootstrap_action" {
    for_each = local.scripts
    content {
      name = bootstrap_action.key
      path = "s3://${aws_s3_bucket.of["data"].bucket}/bootstrap/${bootstrap_action.key}.sh"
      args = bootstrap_action.value
    }
  }
}
