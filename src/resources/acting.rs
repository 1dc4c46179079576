//! Who AWS acts as on our behalf, by ARN: some calls take no bare name. It makes no role.

use super::role_path;
use crate::cloud::error::{CloudError, call};
use crate::resource::{Cx, Ref};

/// A role's ARN, where its bare name will not do: one of ours has a path, which only its ARN tells.
pub(super) async fn role_arn(cx: &Cx, role: &Ref) -> Result<String, CloudError> {
    let name = cx.id_of(role)?;
    let Ref::Ours(_) = role else {
        let role = call("iam GetRole", cx.cloud.iam.get_role().role_name(&name).send()).await?.role;
        return role.map(|role| role.arn).ok_or_else(|| CloudError::failed(format!("IAM tells no ARN of role {name}")));
    };
    let path = format!("role{}{name}", role_path(&cx.stack));
    Ok(cx.cloud.region.arn("iam", false, cx.cloud.account().await?, &path))
}
