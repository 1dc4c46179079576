#!/bin/bash
# Tells memory and processors of each node every minute.
set -e
sudo yum install -y amazon-cloudwatch-agent
