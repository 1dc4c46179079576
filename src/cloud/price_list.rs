//! AWS's Price List as this program asks it: what a node, EMR's fee and a disk cost in one region. An answer that is not
//! understood is no price.

use std::collections::BTreeMap;

use aws_sdk_pricing::types::{Filter, FilterType};
use futures::try_join;
use serde_json::Value;

use super::Cloud;
use super::error::{CloudError, call};
use crate::residency::EuRegion;

/// What was found, in USD.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quotes {
    /// A node on demand, an hour, by type.
    pub ec2: BTreeMap<String, f64>,
    /// EMR's fee, an hour, by type.
    pub emr: BTreeMap<String, f64>,
    /// A GB of gp3, a month.
    pub ebs_gp3: Option<f64>,
}

/// Linux on shared hardware with nothing preinstalled: what EMR's nodes are billed as.
const NODES: [(&str, &str); 4] =
    [("operatingSystem", "Linux"), ("tenancy", "Shared"), ("preInstalledSw", "NA"), ("capacitystatus", "Used")];
const FEES: [(&str, &str); 1] = [("softwareType", "EMR")];
const DISKS: [(&str, &str); 2] = [("productFamily", "Storage"), ("volumeApiName", "gp3")];

impl Cloud {
    /// Prices of a region, of the types that are wanted.
    pub async fn quotes(&self, region: EuRegion, wanted: impl Fn(&str) -> bool) -> Result<Quotes, CloudError> {
        let (nodes, fees, disks) = try_join!(
            self.products("AmazonEC2", region, &NODES),
            self.products("ElasticMapReduce", region, &FEES),
            self.products("AmazonEC2", region, &DISKS),
        )?;
        let by_type = |products: Vec<Value>, unit: &str| {
            let quote = |product: &Value| {
                let name = product["product"]["attributes"]["instanceType"].as_str()?;
                Some((name.to_owned(), price(product, unit)?))
            };
            products.iter().filter_map(quote).filter(|(name, _)| wanted(name)).collect()
        };
        let ebs_gp3 = disks.iter().find_map(|product| price(product, "GB-Mo"));
        Ok(Quotes { ec2: by_type(nodes, "Hrs"), emr: by_type(fees, "Hrs"), ebs_gp3 })
    }

    async fn products(
        &self,
        service: &str,
        region: EuRegion,
        filters: &[(&str, &str)],
    ) -> Result<Vec<Value>, CloudError> {
        let filter = |field: &str, value: &str| {
            let filter = Filter::builder().r#type(FilterType::TermMatch).field(field).value(value).build();
            filter.map_err(|e| CloudError::bug(e.to_string()))
        };
        let all = filters.iter().copied().chain([("regionCode", region.as_str())]);
        let filters: Vec<Filter> = all.map(|(field, value)| filter(field, value)).collect::<Result<_, _>>()?;
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = self.pricing.get_products().service_code(service).set_filters(Some(filters.clone()));
            let page = call("pricing GetProducts", page.set_next_token(token).send()).await?;
            let products = page.price_list.unwrap_or_default();
            found.extend(products.iter().filter_map(|product| serde_json::from_str::<Value>(product).ok()));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}

/// The one on-demand price of a product in this unit; nothing where there are several, or none above 0.
pub(crate) fn price(product: &Value, unit: &str) -> Option<f64> {
    let terms = product["terms"]["OnDemand"].as_object()?;
    let dimensions = terms.values().filter_map(|term| term["priceDimensions"].as_object()).flat_map(|d| d.values());
    let amounts = dimensions.filter(|dimension| dimension["unit"].as_str() == Some(unit));
    let mut amounts = amounts.filter_map(|dimension| dimension["pricePerUnit"]["USD"].as_str()?.parse::<f64>().ok());
    let amount = amounts.next().filter(|amount| amount.is_finite() && *amount > 0.0)?;
    amounts.next().is_none().then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn product(dimensions: &Value) -> Value {
        json!({"product": {}, "terms": {"OnDemand": {"A.B": {"priceDimensions": dimensions}}}})
    }

    #[test]
    fn a_price_is_the_one_of_its_unit_and_doubt_is_no_price() {
        let hour = |usd: &str| json!({"unit": "Hrs", "pricePerUnit": {"USD": usd}});
        assert_eq!(price(&product(&json!({"x": hour("0.2240000000")})), "Hrs"), Some(0.224));
        assert_eq!(price(&product(&json!({"x": hour("0.0000000000")})), "Hrs"), None, "nothing is free");
        assert_eq!(price(&product(&json!({"x": hour("1"), "y": hour("2")})), "Hrs"), None, "which of them?");
        assert_eq!(price(&product(&json!({"x": hour("1")})), "GB-Mo"), None);
        assert_eq!(price(&json!({}), "Hrs"), None);
    }
}
