provider "aws" {
  region = "eu-central-1"
}

variable "bucket" {}

resource "aws_emr_cluster" "fruits" {
  name          = "fruits"
  release_label = "emr-7.12.0"
  applications  = ["Spark", "JupyterHub"]
  log_uri       = "s3://${var.bucket}/logs/"
  service_role  = aws_iam_role.emr.arn

  ec2_attributes {
    key_name                          = "p8-key"
    subnet_id                         = aws_subnet.main.id
    instance_profile                  = "EMR_EC2_DefaultRole"
    emr_managed_master_security_group = "sg-0123456789abcdef0"
    emr_managed_slave_security_group  = "sg-0123456789abcdef1"
  }

  master_instance_group {
    instance_type = "m5.xlarge"
  }

  core_instance_group {
    name           = "Unité principale"
    instance_type  = "m5.xlarge"
    instance_count = 2

    ebs_config {
      size                 = 64
      type                 = "gp3"
      volumes_per_instance = 2
    }
  }

  bootstrap_action {
    name = "packages"
    path = "s3://${var.bucket}/bootstrap-emr.sh"
    args = ["--quiet"]
  }

  configurations_json = jsonencode([
    {
      Classification = "spark"
      Properties     = { maximizeResourceAllocation = "true" }
    },
    {
      Classification = "jupyter-s3-conf"
      Properties = {
        "s3.persistence.enabled" = "true"
        "s3.persistence.bucket"  = var.bucket
      }
    }
  ])

  auto_termination_policy {
    idle_timeout = 5400
  }

  placement_group_config {
    instance_role = "MASTER"
  }

  tags = {
    project = "p8"
  }

  depends_on = [aws_iam_role.emr]
}

resource "aws_emr_instance_group" "task" {
  cluster_id     = aws_emr_cluster.fruits.id
  name           = "burst"
  instance_type  = "m5.xlarge"
  instance_count = 1
  bid_price      = "0.12"
}

resource "aws_emr_managed_scaling_policy" "fruits" {
  cluster_id = aws_emr_cluster.fruits.id
  compute_limits {
    unit_type              = "Instances"
    minimum_capacity_units = 2
    maximum_capacity_units = 5
  }
}
