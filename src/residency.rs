//! Where things may live: the six AWS regions inside the European Union and the European Sovereign
//! Cloud. An [`EuRegion`] comes only from its exact name, so a call to a place outside the EU cannot
//! be written down. A prefix test on `eu-` must never appear here: it would admit London and Zurich.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One of the seven AWS regions on the soil of a member state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EuRegion {
    EuCentral1,
    EuNorth1,
    EuSouth1,
    EuSouth2,
    EuWest1,
    EuWest3,
    /// The European Sovereign Cloud: a partition of its own, with its own accounts and IAM.
    EuscDeEast1,
}

impl EuRegion {
    pub const ALL: [Self; 7] = [
        Self::EuCentral1,
        Self::EuNorth1,
        Self::EuSouth1,
        Self::EuSouth2,
        Self::EuWest1,
        Self::EuWest3,
        Self::EuscDeEast1,
    ];

    /// The name AWS uses, as in `eu-west-3`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EuCentral1 => "eu-central-1",
            Self::EuNorth1 => "eu-north-1",
            Self::EuSouth1 => "eu-south-1",
            Self::EuSouth2 => "eu-south-2",
            Self::EuWest1 => "eu-west-1",
            Self::EuWest3 => "eu-west-3",
            Self::EuscDeEast1 => "eusc-de-east-1",
        }
    }

    /// Where it stands, for people.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::EuCentral1 => "Frankfurt",
            Self::EuNorth1 => "Stockholm",
            Self::EuSouth1 => "Milan",
            Self::EuSouth2 => "Spain",
            Self::EuWest1 => "Ireland",
            Self::EuWest3 => "Paris",
            Self::EuscDeEast1 => "Brandenburg (European Sovereign Cloud)",
        }
    }

    /// Whether an account must enable the region before it answers.
    #[must_use]
    pub const fn opt_in(self) -> bool {
        matches!(self, Self::EuSouth1 | Self::EuSouth2)
    }

    /// The second part of every ARN.
    #[must_use]
    pub const fn partition(self) -> &'static str {
        match self {
            Self::EuscDeEast1 => "aws-eusc",
            _ => "aws",
        }
    }

    /// What the names of AWS's endpoints end in.
    #[must_use]
    pub const fn dns_suffix(self) -> &'static str {
        match self {
            Self::EuscDeEast1 => "amazonaws.eu",
            _ => "amazonaws.com",
        }
    }

    /// The name by which a policy trusts an AWS service, as in `ec2.amazonaws.com`.
    ///
    /// It does not follow [`Self::dns_suffix`]: AWS accepts `<service>.amazonaws.com` in every
    /// partition, and newer partitions accept nothing else (aws-cdk `region-info`, which deprecates
    /// its own table for that reason; terraform-aws-eks#3539 quotes the refusal). `elasticmapreduce`
    /// and `ec2` were not tried in `aws-eusc` itself.
    #[must_use]
    pub fn service_principal(self, service: &str) -> String {
        format!("{service}.amazonaws.com")
    }

    /// An ARN in this region's partition. S3 and IAM name no region: `region_bound` is false for
    /// them; S3 names no account either: it is then empty.
    #[must_use]
    pub fn arn(self, service: &str, region_bound: bool, account: &str, resource: &str) -> String {
        let partition = self.partition();
        let region = if region_bound { self.as_str() } else { "" };
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl fmt::Display for EuRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EuRegion {
    type Err = Refused;

    fn from_str(name: &str) -> Result<Self, Refused> {
        Self::ALL.into_iter().find(|region| region.as_str() == name).ok_or_else(|| Refused::new(name))
    }
}

impl Serialize for EuRegion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EuRegion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A second line is the hint, for readers that show one.
        let refused = |refused: Refused| serde::de::Error::custom(format!("{refused}\n{}", refused.hint));
        String::deserialize(deserializer)?.parse().map_err(refused)
    }
}

impl JsonSchema for EuRegion {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EuRegion".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An AWS region inside the European Union.",
            "enum": Self::ALL.map(Self::as_str),
        })
    }
}

/// The first name of an AWS region outside the EU in a text, and where it lies: finds endpoints and
/// ARNs that lead abroad. Names count only whole: `us-east-1` is not in `bus-east-12`.
#[must_use]
pub fn region_abroad(text: &str) -> Option<(&'static str, &'static str)> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .find_map(|word| ELSEWHERE.iter().find(|(region, _)| word == *region || zone_of(word, region)))
        .copied()
}

/// Whether a word is an availability zone (`us-east-1a`) or an S3 host of old (`s3-us-east-1`).
fn zone_of(word: &str, region: &str) -> bool {
    word.strip_prefix("s3-") == Some(region)
        || word.strip_prefix(region).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_lowercase())
}

/// Why a name is not a region of the EU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is refused: {reason}")]
pub struct Refused {
    pub name: String,
    pub reason: String,
    /// What to write instead.
    pub hint: String,
}

impl Refused {
    fn new(name: &str) -> Self {
        let reason = match ELSEWHERE.iter().find(|(region, _)| *region == name) {
            Some((_, place)) => format!("it lies in {place}"),
            None => "AWS has no such region".to_owned(),
        };
        let hint = match nearest(name) {
            Some(near) => format!("did you mean `{near}` ({})?", near.place()),
            None => format!("use one of {}", EuRegion::ALL.map(EuRegion::as_str).join(", ")),
        };
        Self { name: name.to_owned(), reason, hint }
    }
}

/// The EU region a name was probably meant to be; none where the name is a real region elsewhere,
/// because moving a stack is its owner's decision.
fn nearest(name: &str) -> Option<EuRegion> {
    if ELSEWHERE.iter().any(|(region, _)| *region == name) {
        return None;
    }
    EuRegion::ALL
        .into_iter()
        .map(|region| (strsim::damerau_levenshtein(region.as_str(), &name.to_lowercase()), region))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, region)| region)
}

/// AWS's regions outside the European Union and where they lie, so that a refusal can say it.
/// From AWS's list of regions and the partitions file of its SDKs, as of 2026.
const ELSEWHERE: &[(&str, &str)] = &[
    ("af-south-1", "South Africa (Cape Town), outside the EU"),
    ("ap-east-1", "Hong Kong, outside the EU"),
    ("ap-east-2", "Taiwan (Taipei), outside the EU"),
    ("ap-northeast-1", "Japan (Tokyo), outside the EU"),
    ("ap-northeast-2", "South Korea (Seoul), outside the EU"),
    ("ap-northeast-3", "Japan (Osaka), outside the EU"),
    ("ap-south-1", "India (Mumbai), outside the EU"),
    ("ap-south-2", "India (Hyderabad), outside the EU"),
    ("ap-southeast-1", "Singapore, outside the EU"),
    ("ap-southeast-2", "Australia (Sydney), outside the EU"),
    ("ap-southeast-3", "Indonesia (Jakarta), outside the EU"),
    ("ap-southeast-4", "Australia (Melbourne), outside the EU"),
    ("ap-southeast-5", "Malaysia, outside the EU"),
    ("ap-southeast-6", "New Zealand, outside the EU"),
    ("ap-southeast-7", "Thailand, outside the EU"),
    ("ca-central-1", "Canada (Montreal), outside the EU"),
    ("ca-west-1", "Canada (Calgary), outside the EU"),
    ("cn-north-1", "China (Beijing), outside the EU"),
    ("cn-northwest-1", "China (Ningxia), outside the EU"),
    ("eu-central-2", "Switzerland (Zurich), which is in Europe but not in the EU"),
    ("eu-isoe-west-1", "an isolated cloud for governments, which is not the EU's and not open to us"),
    ("eu-west-2", "the United Kingdom (London), which is in Europe but no longer in the EU"),
    ("il-central-1", "Israel (Tel Aviv), outside the EU"),
    ("me-central-1", "the United Arab Emirates, outside the EU"),
    ("me-south-1", "Bahrain, outside the EU"),
    ("mx-central-1", "Mexico (Querétaro), outside the EU"),
    ("sa-east-1", "Brazil (São Paulo), outside the EU"),
    ("us-east-1", "the United States (Virginia), outside the EU"),
    ("us-east-2", "the United States (Ohio), outside the EU"),
    ("us-gov-east-1", "the United States (government cloud), outside the EU"),
    ("us-gov-west-1", "the United States (government cloud), outside the EU"),
    ("us-iso-east-1", "the United States (isolated cloud), outside the EU"),
    ("us-iso-west-1", "the United States (isolated cloud), outside the EU"),
    ("us-isob-east-1", "the United States (isolated cloud), outside the EU"),
    ("us-isob-west-1", "the United States (isolated cloud), outside the EU"),
    ("us-isof-east-1", "the United States (isolated cloud), outside the EU"),
    ("us-isof-south-1", "the United States (isolated cloud), outside the EU"),
    ("us-west-1", "the United States (California), outside the EU"),
    ("us-west-2", "the United States (Oregon), outside the EU"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> Refused {
        name.parse::<EuRegion>().expect_err(name)
    }

    #[test]
    fn the_seven_come_back_from_their_names() {
        for region in EuRegion::ALL {
            assert_eq!(region.as_str().parse(), Ok(region));
        }
    }

    #[test]
    fn every_other_aws_region_is_refused_with_its_place_and_no_substitute() {
        for (name, place) in ELSEWHERE {
            let refused = refusal(name);
            assert!(refused.to_string().contains(place), "{refused}");
            assert!(refused.hint.starts_with("use one of"), "{}", refused.hint);
        }
    }

    #[test]
    fn made_up_names_are_refused_with_a_near_one() {
        let refused = refusal("eu-west-9");
        assert_eq!(refused.reason, "AWS has no such region");
        assert_eq!(refused.hint, "did you mean `eu-west-1` (Ireland)?");
        assert!(refusal("paris").hint.starts_with("use one of"));
        assert_eq!(refusal("EU-WEST-3").hint, "did you mean `eu-west-3` (Paris)?");
    }

    #[test]
    fn nothing_around_a_name_is_forgiven() {
        for name in ["", " eu-west-3", "eu-west-3\n", "eu-west-3a", "eu-", "EU", "eu_west_3"] {
            assert!(name.parse::<EuRegion>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn arns_follow_the_partition() {
        let paris = EuRegion::EuWest3.arn("kms", true, "000000000000", "key/1");
        assert_eq!(paris, "arn:aws:kms:eu-west-3:000000000000:key/1");
        let sovereign = EuRegion::EuscDeEast1.arn("s3", false, "", "fruits-data/*");
        assert_eq!(sovereign, "arn:aws-eusc:s3:::fruits-data/*");
        assert_eq!(EuRegion::EuscDeEast1.dns_suffix(), "amazonaws.eu");
    }

    #[test]
    fn regions_abroad_are_found_in_endpoints_and_arns() {
        let found = |text| region_abroad(text).map(|(region, _)| region);
        assert_eq!(found("https://s3.us-east-1.amazonaws.com"), Some("us-east-1"));
        assert_eq!(found("arn:aws:kms:eu-west-2:000000000000:key/1"), Some("eu-west-2"));
        assert_eq!(found("us-west-2a"), Some("us-west-2"));
        assert_eq!(found("s3-us-west-2.amazonaws.com"), Some("us-west-2"));
        assert_eq!(found("s3.eu-west-3.amazonaws.com my-us-east-1x fruits-eu-west-2-data"), None);
    }

    proptest::proptest! {
        #[test]
        fn only_the_seven_names_ever_parse(name in "[a-z]{2,4}-([a-z]{2,5}-)?[a-z]{4,9}-[0-9]") {
            let known = EuRegion::ALL.iter().any(|region| region.as_str() == name);
            proptest::prop_assert_eq!(name.parse::<EuRegion>().is_ok(), known);
        }
    }
}
