//! What can go wrong between us and AWS, in few classes. AWS's many words are sorted here and nowhere else.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::cloud::http::{FENCE, NO_ANSWER};
use crate::cloud::permit::UNLEASED;

/// What a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It is not there.
    Absent,
    /// The name is taken by something that is not this stack's.
    Taken,
    /// AWS has not caught up with itself (IAM, S3 after a delete): the same call works in a while.
    NotYet,
    /// Something else holds on to it: works when that is gone.
    InUse,
    /// A condition on the call did not hold (`If-None-Match`, `If-Match`).
    Precondition,
    Throttled,
    /// The credentials do not allow it.
    Denied,
    /// AWS understood and said no: the same call never works.
    Invalid,
    /// Sent, and no answer: it may or may not have been done.
    Unknown,
    /// It was made and then failed by itself: a cluster's bootstrap, capacity.
    Failed,
    /// A bounded wait ran out.
    TimedOut,
    Interrupted,
    /// Not sent: whoever wanted it may no longer be the stack's one writer.
    Unleased,
    /// Something outside the EU, or another stack's.
    Refused,
    Bug,
}

#[derive(Debug, Clone)]
pub struct CloudError {
    pub class: Class,
    /// `emr RunJobFlow`; empty where no call was made.
    pub call: String,
    /// AWS's code.
    pub code: Option<String>,
    pub message: String,
    /// A tail of a log that explains it, for a person.
    pub detail: Option<String>,
}

impl std::error::Error for CloudError {}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(code) = &self.code {
            write!(f, " ({}: {code})", self.call)?;
        } else if !self.call.is_empty() {
            write!(f, " ({})", self.call)?;
        }
        if let Some(detail) = &self.detail {
            write!(f, "\n{detail}")?;
        }
        Ok(())
    }
}

impl CloudError {
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, call: String::new(), code: None, message: message.into(), detail: None }
    }

    pub fn absent(message: impl Into<String>) -> Self {
        Self::new(Class::Absent, message)
    }

    pub fn taken(message: impl Into<String>) -> Self {
        Self::new(Class::Taken, message)
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Class::Failed, message)
    }

    pub fn timed_out(message: impl Into<String>) -> Self {
        Self::new(Class::TimedOut, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Class::Refused, message)
    }

    pub fn interrupted() -> Self {
        Self::new(Class::Interrupted, "interrupted")
    }

    /// Something that our own rules exclude. Told as an error: a panic would lose what others are doing.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Class::Bug, format!("a mistake of fruitsinfra's own: {}", message.into()))
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self.class {
            Class::Taken => "rename it in the stack, or refer to it with `existing:`",
            Class::Denied if self.code.is_none() => {
                "sign in (`aws sso login`, AWS_PROFILE, or keys in the environment), or add `--local` for the embedded AWS"
            }
            Class::Denied if self.code.as_deref().is_some_and(|code| STRANGERS.contains(&code)) => {
                "AWS does not know these credentials, or does no longer: sign in again (`aws sso login`), or use others (AWS_PROFILE)"
            }
            Class::Denied => "ask for the permission that is named, or use other credentials (AWS_PROFILE)",
            Class::Throttled
            | Class::NotYet
            | Class::InUse
            | Class::Unknown
            | Class::TimedOut
            | Class::Interrupted
            | Class::Unleased => "run the same command again: it continues where this one ended",
            _ => return None,
        };
        Some(hint.into())
    }

    /// Sorts an SDK's error; `call` is `service Operation`.
    pub fn from_sdk<E>(call: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (class, code, message) = match error {
            SdkError::ServiceError(service) => {
                let code = service.err().code().filter(|code| !code.is_empty());
                let code = code.unwrap_or_else(|| of_status(service.raw().status().as_u16())).to_owned();
                let message = service.err().message().unwrap_or_default().to_owned();
                let class = sort(&code, &message);
                let message = match (message.is_empty(), code.is_empty()) {
                    (false, _) => message,
                    (true, false) => format!("AWS answered {code}"),
                    (true, true) => format!("the answer says nothing (HTTP {})", service.raw().status()),
                };
                (class, Some(code).filter(|c| !c.is_empty()), message)
            }
            SdkError::ConstructionFailure(_) => (class_of_refusal(error), None, chain(error)),
            SdkError::DispatchFailure(failure) if failure.is_user() => (class_of_refusal(error), None, chain(error)),
            _ if causes(error).iter().any(|cause| cause.contains("loading credentials")) => {
                let last = causes(error).pop().unwrap_or_default();
                (Class::Denied, None, format!("no credentials: there are none where the AWS CLI looks ({last})"))
            }
            SdkError::DispatchFailure(_) => {
                let causes = causes(error);
                let said = |word: &str| causes.iter().find(|cause| cause.contains(word)).cloned();
                if let Some(fence) = said(FENCE) {
                    (Class::Refused, None, fence)
                } else if let Some(unleased) = said(UNLEASED) {
                    (Class::Unleased, None, unleased)
                } else {
                    // "dispatch failure" and "io error" say nothing that the host and the last cause do not.
                    let named = causes.iter().position(|cause| cause.starts_with(NO_ANSWER)).unwrap_or(0);
                    (Class::Unknown, None, shortened(causes[named..].to_vec()))
                }
            }
            _ => (Class::Unknown, None, format!("no answer: {}", chain(error))),
        };
        Self { class, call: call.into(), code, message, detail: None }
    }
}

/// Codes by which AWS says that it does not know who asks.
const STRANGERS: [&str; 7] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// The code of an answer that has none: the answer to a HEAD has no body to hold one.
fn of_status(status: u16) -> &'static str {
    match status {
        301 => "PermanentRedirect",
        403 => "Forbidden",
        404 => "NotFound",
        412 => "PreconditionFailed",
        503 => "SlowDown",
        _ => "",
    }
}

fn class_of_refusal<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> Class {
    if chain(error).contains(FENCE) { Class::Refused } else { Class::Invalid }
}

/// What each cause says, outermost first.
fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut words = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        words.push(cause.to_string());
        next = cause.source();
    }
    words.dedup();
    words
}

/// The chain of causes, shortened to what a person reads.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let words = causes(error);
    if words.is_empty() { DisplayErrorContext(error).to_string() } else { shortened(words) }
}

/// The first cause and the last: what failed, and why.
fn shortened(mut words: Vec<String>) -> String {
    let last = words.pop().unwrap_or_default();
    match words.first() {
        Some(first) => format!("{first}: {last}"),
        None => last,
    }
}

/// AWS's codes and words, as collected from its documentation and from issue threads.
fn sort(code: &str, message: &str) -> Class {
    let says = |part: &str| message.contains(part);
    match code {
        "NoSuchBucket"
        | "NoSuchKey"
        | "NotFound"
        | "NoSuchEntity"
        | "InvalidGroup.NotFound"
        | "NoSuchTagSet"
        | "NoSuchPublicAccessBlockConfiguration"
        | "NoSuchLifecycleConfiguration"
        | "NoSuchBucketPolicy"
        | "OwnershipControlsNotFoundError"
        | "ReplicationConfigurationNotFoundError"
        | "ServerSideEncryptionConfigurationNotFoundError"
        | "InvalidGroupId.NotFound"
        | "InvalidSubnetID.NotFound"
        | "NoSuchUpload"
        | "ResourceNotFoundException" => Class::Absent,
        "BucketAlreadyExists"
        | "EntityAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "InvalidGroup.Duplicate"
        | "IdempotentParameterMismatch" => Class::Taken,
        // Scheduler has one word for a name that is taken and for a change that is under way.
        "ConflictException" if says("already exists") => Class::Taken,
        "PreconditionFailed" | "ConditionalRequestConflict" => Class::Precondition,
        "OperationAborted" | "ConcurrentModification" | "EntityTemporarilyUnmodifiable" | "ConflictException" => {
            Class::NotYet
        }
        "MalformedPolicyDocument" if says("Invalid principal") => Class::NotYet,
        "ValidationException" if says("Invalid InstanceProfile") || says("ServiceRole") && says("is invalid") => {
            Class::NotYet
        }
        "ValidationException" if says("execution role") && says("to assume the role") => Class::NotYet,
        "AccessDeniedException" if says("Failed to authorize instance profile") => Class::NotYet,
        "DependencyViolation" | "DeleteConflict" | "ResourceInUse" | "BucketNotEmpty" => Class::InUse,
        "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "PriorRequestNotComplete" => Class::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthFailure"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "Forbidden"
        | "AuthorizationHeaderMalformed" => Class::Denied,
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServerException"
        | "ServiceUnavailable"
        | "InternalServiceError"
        | "RequestTimeout"
        | "" => Class::Unknown,
        _ => Class::Invalid,
    }
}

/// Gives `.or_absent()` and the like to what a call returns.
pub trait Outcome<T> {
    /// `None` where AWS says that there is none.
    fn or_absent(self) -> Result<Option<T>, CloudError>;
}

impl<T> Outcome<T> for Result<T, CloudError> {
    fn or_absent(self) -> Result<Option<T>, CloudError> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.class == Class::Absent => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Turns an SDK's result into ours: `call("s3 HeadBucket", request.send()).await`.
pub async fn call<T, E>(
    name: &'static str,
    sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, CloudError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    sending.await.map_err(|error| CloudError::from_sdk(name, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awss_words_fall_into_the_classes_that_callers_act_on() {
        for (code, message, class) in [
            ("ThrottlingException", "Rate exceeded", Class::Throttled),
            ("ValidationException", "Invalid InstanceProfile: demo-nodes.", Class::NotYet),
            (
                "ValidationException",
                "Could not shut down one or more job flows since they are termination protected.",
                Class::Invalid,
            ),
            ("AccessDeniedException", "Failed to authorize instance profile arn", Class::NotYet),
            (
                "ValidationException",
                "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
                Class::NotYet,
            ),
            ("ConflictException", "Schedule demo-end already exists.", Class::Taken),
            ("ResourceNotFoundException", "Schedule demo-end does not exist.", Class::Absent),
            ("AccessDeniedException", "User is not authorized", Class::Denied),
            ("MalformedPolicyDocument", "Invalid principal in policy: \"AWS\"", Class::NotYet),
            ("MalformedPolicyDocument", "Syntax errors in policy.", Class::Invalid),
            ("OperationAborted", "A conflicting conditional operation is currently in progress", Class::NotYet),
            ("DependencyViolation", "resource sg-1 has a dependent object", Class::InUse),
            ("PreconditionFailed", "", Class::Precondition),
            ("InternalFailure", "", Class::Unknown),
        ] {
            assert_eq!(sort(code, message), class, "{code}: {message}");
        }
    }
}
