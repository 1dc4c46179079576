#!/bin/bash
# Installs what notebooks need.
set -e
sudo python3 -m pip install wheel pillow pandas==1.2.5 pyarrow boto3 s3fs fsspec
