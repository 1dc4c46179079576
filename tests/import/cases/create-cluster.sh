# From the notes of the last demonstration
BUCKET=somewhere
CLUSTER_ID=$(aws emr create-cluster \
  --name "Fruits (été)" \
  --region eu-west-3 \
  --release-label emr-7.12.0 \
  --applications Name=Spark Name=JupyterHub Name=Hive,Args=[a,b] \
  --ec2-attributes '{"KeyName":"p8-key","InstanceProfile":"EMR_EC2_DefaultRole","SubnetId":"subnet-0123456789abcdef0","AdditionalMasterSecurityGroups":["sg-0123456789abcdef1"]}' \
  --service-role EMR_DefaultRole \
  --instance-groups \
    InstanceGroupType=MASTER,InstanceCount=1,InstanceType=m5.xlarge \
    'InstanceGroupType=CORE,InstanceCount=2,InstanceType=m5.xlarge,EbsConfiguration={EbsBlockDeviceConfigs=[{VolumeSpecification={VolumeType=gp3,SizeInGB=64},VolumesPerInstance=2}]}' \
    InstanceGroupType=TASK,Name=burst,InstanceCount=2,InstanceType=m5.xlarge,BidPrice=0.12 \
  --configurations file://./configurations.json \
  --bootstrap-actions Path=s3://$BUCKET/bootstrap-emr.sh,Name=packages,Args=[--with,"a b"] \
  --log-uri s3n://p8-logs/emr \
  --tags project=p8 "owner=the jury" for-use-with-amazon-emr-managed-policies=true \
  --auto-termination-policy IdleTimeout=7200 \
  --managed-scaling-policy ComputeLimits='{MinimumCapacityUnits=2,MaximumCapacityUnits=6,UnitType=Instances}' \
  --ebs-root-volume-size 40 \
  --step-concurrency-level 3 \
  --enable-debugging \
  --no-termination-protected \
  --query ClusterId --output text)
aws emr wait cluster-running --cluster-id $CLUSTER_ID
