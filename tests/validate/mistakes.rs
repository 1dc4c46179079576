//! Mistakes that people of this brief really made, a row each, and a second row of the same kind that the rules were
//! not written from. Each is found with its code, and where it stands.

use super::{Folder, JOB, SCRIPT, STACK};

/// A mistake in one of the three texts, marked by `<<` and `>>`, and its code.
enum In {
    Stack,
    Script,
    Job,
}
use In::{Job, Script, Stack};

#[track_caller]
fn finds(place: &In, code: &str, marked: &str) {
    let at = marked.find("<<").expect("a place is marked");
    let text = marked.replacen("<<", "", 1).replacen(">>", "", 1);
    let line = text[..at].matches('\n').count() + 1;
    let column = text[..at].rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let (folder, file) = match place {
        Stack => (Folder::with(&text, SCRIPT, JOB), "stack.yaml"),
        Script => (Folder::with(STACK, &text, JOB), "own.sh"),
        Job => (Folder::with(STACK, SCRIPT, &text), "own.py"),
    };
    let found = folder.findings();
    let wanted = format!("{file}:{line}:{column}");
    assert!(
        found.iter().any(|finding| finding.starts_with(code) && finding.ends_with(&wanted)),
        "{code} at {wanted} in\n{text}\nfound {found:#?}"
    );
}

fn script(line: &str) -> String {
    format!("#!/bin/bash\nset -euo pipefail\n{line}\n")
}

#[test]
fn row_1_a_slip_in_a_name_and_no_end_at_a_failure() {
    finds(&Script, "FI603 error", &script("sudo python3 -m pip install <<whell>>"));
    finds(&Script, "FI603 error", &script("pip3 install -U 'boto3==1.40' <<numppy==1.26.4>>"));
    finds(&Script, "FI603 error", &script("sudo /usr/bin/pip-3.9 install --no-input <<\"tensorlfow==2.19.1\">>"));
    finds(&Script, "FI621 warning", "<<#>>!/bin/bash\nsudo python3 -m pip install 'wheel==0.45'\necho done\n");
    finds(&Script, "FI621 warning", "<<s>>udo yum install -y git\nset -u\necho done\n");
    finds(&Script, "FI620 warning", "<<s>>et -e\nsudo yum install -y git\n");
}

#[test]
fn row_4_a_version_that_the_shell_takes_for_a_file() {
    finds(&Script, "FI622 error", &script("sudo python3 -m pip install <<pandas<1.3.0>>"));
    finds(&Script, "FI622 error", &script("pip install boto3 <<pyarrow>=12>> s3fs"));
    finds(&Script, "FI622 error", &script("if true; then pip3.11 install <<numpy < 2>>; fi"));
}

#[test]
fn row_5_packages_in_a_home_that_spark_never_looks_in() {
    finds(&Script, "FI623 error", &script("sudo python3 -m pip install <<--user>> 'pillow==11.3.0'"));
    finds(&Script, "FI623 warning", &script("python3 -m pip install 'pillow==11.3.0' <<--user>>"));
}

#[test]
fn row_7_another_systems_package_manager_and_one_that_asks() {
    finds(&Script, "FI624 error", &script("sudo <<apt-get>> install python-dev"));
    finds(&Script, "FI624 error", &script("DEBIAN_FRONTEND=noninteractive sudo -E <<apt>> update"));
    finds(&Script, "FI625 error", &script("sudo <<yum>> install git"));
    finds(&Script, "FI625 error", &script("sudo <<dnf>> -q install python3.11-pip"));
}

#[test]
fn row_9_a_second_spark() {
    finds(&Script, "FI604 warning", &script("pip3 install <<pyspark>>"));
    finds(&Script, "FI604 warning", &script("sudo pip3 install 'pillow==11.0.0' <<pyspark==3.5.3>> 'dm-tree==0.1.8'"));
}

#[test]
fn row_11_two_tensorflows() {
    finds(&Script, "FI607 warning", &script("sudo python3 -m pip install <<tensorflow==2.15.0>>"));
    finds(&Script, "FI607 warning", &script("pip install 'numpy==1.26.4' <<tensorflow-cpu==2.18.0>>"));
    let both = "bootstrap:\n  - {name: python, template: bootstrap/python_packages.sh.j2, packages: {tensorflow: <<2.18.0>>}}\n";
    finds(&Stack, "FI607 error", &STACK.replace("bootstrap:\n  - {name: own, script: own.sh}\n", both));
}

#[test]
fn row_13_an_address_where_a_name_is_wanted() {
    let configured = |value: &str| {
        let settings = format!(
            "  configurations:\n    - classification: jupyter-s3-conf\n      properties: {{s3.persistence.enabled: 'true', s3.persistence.bucket: {value}}}\njobs:"
        );
        STACK.replace("jobs:", &settings)
    };
    finds(&Stack, "FI311 error", &configured("<<'s3://p8-data'>>"));
    finds(&Stack, "FI311 error", &configured("<<p8-data/jupyter>>"));
}

#[test]
fn row_16_an_empty_part_of_an_address() {
    finds(&Job, "FI642 error", "df.write.parquet(<<'s3://p8-data//Results'>>)\n");
    finds(&Job, "FI642 error", "PATH = 's3://p8-data/'\nPATH_Result = <<PATH + '/Results'>>\n");
    finds(&Job, "FI642 error", "B = 's3a://b/x/'\nspark.read.parquet(<<f'{B}/features'>>)\n");
    finds(&Stack, "FI642 error", &STACK.replace("s3://fruits-data/images/", "<<s3://fruits-data//images/>>"));
    let upload = "uploads: [{from: own.py, to: <<data//images/>>}]\njobs:";
    finds(&Stack, "FI506 error", &STACK.replace("jobs:", upload));
}

#[test]
fn row_17_results_below_results_that_are_overwritten() {
    finds(
        &Job,
        "FI641 error",
        "PATH_Result = 's3://p8-data/Results'\n\
         features.write.mode('overwrite').parquet(PATH_Result)\n\
         pca.write.mode('overwrite').parquet(<<PATH_Result + '/pca'>>)\n",
    );
    finds(
        &Job,
        "FI641 error",
        "import sys\nout = sys.argv[1]\n\
         a.write.option('compression', 'zstd').parquet(<<f'{out}/model/scree'>>)\n\
         b.write.format('parquet').mode('overwrite').save(f'{out}/model/')\n",
    );
    let nested = "jobs:\n  a: {template: jobs/fruit_features.py.j2, input: data/images/, output: data/}\n  \
                  b: {template: jobs/fruit_features.py.j2, input: data/images/, output: <<data/features/>>}\n";
    let from = STACK.find("jobs:").expect("has jobs");
    finds(&Stack, "FI509 error", &format!("{}{nested}", &STACK[..from]));
}

#[test]
fn row_19_a_port_open_to_the_world() {
    let open = |port: u32| STACK.replace("jobs:", &format!("  access: [{{from: <<0.0.0.0/0>>, port: {port}}}]\njobs:"));
    for port in [22, 8888, 443] {
        finds(&Stack, "FI401 error", &open(port));
    }
    finds(&Stack, "FI401 error", &open(9443).replace("0.0.0.0/0", "'::/0'"));
    let by_hand =
        "aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 22 --cidr <<0.0.0.0/0>>";
    finds(&Script, "FI411 error", &script(by_hand));
    let by_ranges = "aws ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions <<'IpProtocol=tcp,FromPort=8888,ToPort=8888,IpRanges=[{CidrIp=0.0.0.0/0}]'>>";
    finds(&Script, "FI411 error", &script(by_ranges));
    finds(&Script, "FI412 warning", &script("aws s3 sync s3://p8-data/Results . <<--no-sign-request>>"));
    finds(&Script, "FI412 error", &script("aws s3 cp x s3://p8-data/x --acl <<public-read>>"));
}

#[test]
fn row_23_regions_that_look_european() {
    for region in ["eu-west-2", "eu-central-2", "us-east-1", "eu-west-9"] {
        finds(&Stack, "FI201 error", &STACK.replace("eu-west-3", &format!("<<{region}>>")));
    }
    finds(&Script, "FI209 error", &script("aws s3 cp --region <<eu-west-2>> x s3://p8-data/x"));
    finds(&Script, "FI209 warning", &script("curl -sSfO <<https://p8.s3.us-east-1.amazonaws.com/x.sh>>"));
}

#[test]
fn row_26_policies_that_give_everything() {
    finds(
        &Script,
        "FI410 warning",
        &script("aws iam attach-role-policy --role-name r --policy-arn arn:aws:iam::aws:policy/<<AmazonS3FullAccess>>"),
    );
    finds(&Job, "FI410 warning", "policy = 'arn:aws:iam::aws:policy/<<AdministratorAccess>>'\n");
    let existing = "roles: {nodes: {existing: <<S3FullAccess>>}}\njobs:";
    finds(&Stack, "FI410 warning", &STACK.replace("jobs:", existing));
}

#[test]
fn row_27_a_cluster_that_nobody_ends() {
    finds(&Stack, "FI131 warning", &format!("{STACK}limits: {{lifetime: <<30d>>}}\n"));
    finds(&Stack, "FI131 warning", &format!("{STACK}limits: {{idle: <<12h>>}}\n"));
    let protected = "  termination_protection: <<true>>\njobs:";
    finds(&Stack, "FI127 warning", &STACK.replace("jobs:", protected));
    let folder = Folder::with(&format!("{STACK}limits: {{lifetime: 30d}}\n"), SCRIPT, JOB);
    let told = super::text(&folder.run(&["validate", "stack.yaml"]));
    assert!(told.contains("forgotten for a night it costs ") && told.contains(" USD, for a weekend "), "{told}");
}

#[test]
fn row_31_a_notebook_with_the_wrong_kernel() {
    let stack = STACK.replace("jobs:", "uploads: [{from: books, to: data/jupyter/}]\njobs:");
    let folder = Folder::with(&stack, SCRIPT, JOB);
    let notebook = |kernel: &str| {
        format!(
            "{{\"cells\": [{{\"cell_type\": \"code\", \"source\": [\"%%info\"]}}],\n \"metadata\": {{\"kernelspec\": {{\"name\": \"{kernel}\"}}}}}}\n"
        )
    };
    std::fs::create_dir(folder.path("books")).expect("made");
    std::fs::write(folder.path("books/p8.ipynb"), notebook("python3")).expect("written");
    assert_eq!(folder.findings(), ["FI647 error books/p8.ipynb:2:15"]);
    std::fs::write(folder.path("books/p8.ipynb"), notebook("pysparkkernel")).expect("written");
    assert_eq!(folder.findings(), [""; 0]);
    finds(&Job, "FI646 error", "import sys\n<<%%info>>\n");
}

#[test]
fn row_33_weights_that_every_worker_downloads() {
    finds(
        &Job,
        "FI643 warning",
        "def model_fn():\n    model = MobileNetV2(weights=<<'imagenet'>>, include_top=True)\n    model.set_weights(brodcast_weights.value)\n    return model\n",
    );
    finds(
        &Job,
        "FI643 warning",
        "class Worker:\n    def load(self):\n        self.net = keras.applications.MobileNetV2(include_top=False, weights=<<\"imagenet\">>)\n        self.net.set_weights(self.shared.value)\n",
    );
    // The driver's own is what is broadcast.
    let sound = "model = MobileNetV2(weights='imagenet')\nshared = spark.sparkContext.broadcast(model.get_weights())\n";
    assert_eq!(Folder::with(STACK, SCRIPT, sound).findings(), [""; 0]);
}

#[test]
fn other_slips_of_scripts() {
    finds(
        &Script,
        "FI626 warning",
        &script("sudo <<>>python3 -m pip install pandas 'pillow==11.3.0'").replace("sudo <<>>", "<<>>sudo "),
    );
    finds(&Script, "FI628 warning", &script("<<curl -s https://a.example/install.sh>> | bash"));
    finds(&Script, "FI629 warning", &script("sudo <<python3.11>> -m pip install 'pillow==11.3.0'"));
    finds(&Script, "FI630 error", &script("sudo python3 -m pip install <<\\>> \n  'pillow==11.3.0'"));
    finds(&Script, "FI605 error", &script("sudo python3 -m pip install <<pyarrow==22.0.0>>"));
    finds(&Script, "FI613 warning", &script("sudo python3 -m pip install <<sklearn==0.0>>"));
    let opened = "<<aws s3api put-public-access-block --bucket p8-data --public-access-block-configuration \
        BlockPublicAcls=false,BlockPublicPolicy=true>>";
    finds(&Script, "FI412 error", &script(opened));
}

#[test]
fn what_only_looks_like_a_slip() {
    for line in [
        "yes | sudo yum install git",
        "sudo python3 -m pip install pandas==2.3.3 > 1.0",
        "aws s3api put-public-access-block --bucket p8-data --public-access-block-configuration BlockPublicAcls=true",
    ] {
        assert_eq!(Folder::with(STACK, &script(line), JOB).findings(), [""; 0], "{line}");
    }
}

#[test]
fn lines_that_end_as_windows_ends_them_are_mended_between_two() {
    let folder = Folder::with(STACK, "#!/bin/bash\r\necho one\r\necho two\r\n", JOB);
    folder.run(&["validate", "stack.yaml", "--fix"]);
    assert!(folder.read("own.sh").starts_with("#!/bin/bash\r\nset -euo pipefail\n"), "{:?}", folder.read("own.sh"));
}

#[test]
fn other_slips_of_jobs() {
    finds(&Job, "FI640 warning", "import <<sklearn.decomposition>> as d\n");
    finds(&Job, "FI640 warning", "import os, sys\nfrom <<PIL>> import Image\n");
    finds(&Job, "FI645 warning", "spark = SparkSession.builder.master(<<'local[*]'>>).getOrCreate()\n");
    finds(
        &Job,
        "FI644 warning",
        "@pandas_udf('array<float>')\ndef featurize(it):\n    yield it\n<<features>> = images.repartition(24).select(featurize('content'))\n\
         print(features.count())\nfeatures.write.mode('overwrite').parquet('s3://b/x/')\n",
    );
    let kept = "@pandas_udf('array<float>')\ndef featurize(it):\n    yield it\nfeatures = images.select(featurize('content')).cache()\n\
                print(features.count())\nfeatures.write.mode('overwrite').parquet('s3://b/x/')\n";
    assert_eq!(Folder::with(STACK, SCRIPT, kept).findings(), [""; 0]);
}

#[test]
fn settings_that_no_node_can_hold() {
    let set = |settings: &str| {
        STACK.replace(
            "jobs:",
            &format!(
                "  configurations:\n    - classification: spark-defaults\n      properties: {{{settings}}}\njobs:"
            ),
        )
    };
    finds(&Stack, "FI650 warning", &set("spark.executor.memory: <<14g>>"));
    finds(&Stack, "FI650 warning", &set("spark.driver.memory: <<16g>>"));
    finds(&Stack, "FI651 warning", &set("spark.sql.shuffle.partitions: <<'4'>>"));
    finds(&Stack, "FI652 warning", &set("spark.driver.maxResultSize: <<8m>>"));
    finds(&Stack, "FI316 warning", &STACK.replace("emr-7.12.0", "<<emr-7.3.0>>"));
}
