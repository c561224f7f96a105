//! A run for programs: one JSON object a line.

use serde_json::{Value, json};

use crate::report::{Judged, Report};

impl Judged {
    /// This check in one object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = object.as_object_mut() {
            let ids: Vec<&str> = self.requirements.iter().map(|it| it.id.as_str()).collect();
            object.insert("requirements".to_owned(), json!(ids));
        }
        object
    }
}

impl Report {
    /// How many went how, and what ran, in one object: the last line.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = serde_json::to_value(self.totals()).unwrap_or_default();
        if let Some(object) = object.as_object_mut() {
            object.insert("about".to_owned(), json!(self.about));
        }
        object
    }
}
