//! Control: the server itself: integrators, clock, faults, records.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::api::{Call, Problem, Route, done, plainly};
use crate::faults::Faults;
use crate::media::Uploaded;
use crate::rules::Class;
use crate::rules::book::clauses;
use crate::world::Integrator;

/// The routes about the server as a whole.
pub(super) const ROUTES: &[Route] = &[
    ("GET", "integrators", integrators),
    ("POST", "integrators", put_integrator),
    ("DELETE", "integrators/{id}", remove_integrator),
    ("POST", "integrators/{id}/fetch-keys", fetch_keys),
    ("GET", "clock", clock),
    ("POST", "clock", set_clock),
    ("GET", "faults", faults),
    ("POST", "faults", set_faults),
    ("DELETE", "faults", no_faults),
    ("POST", "noise-key", noise_key),
    ("GET", "deviations", deviations),
    ("DELETE", "deviations", forget_deviations),
    ("GET", "rules", rules),
    ("GET", "pongs", pongs),
    ("GET", "reports", reports),
    ("GET", "media", media),
    ("POST", "media", upload),
    ("POST", "reset", reset),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    /// Seconds ahead of the machine's.
    #[serde(default)]
    offset: Option<i64>,
    /// Seconds to go on from where it is.
    #[serde(default)]
    advance: Option<u64>,
}

fn integrators(call: &mut Call<'_>) -> Result<Value, Problem> {
    let known = call.world.integrators.iter().map(|(id, known)| {
        json!({
            "id": id,
            "base_url": known.base_url,
            "keys": known.keys.names().collect::<Vec<_>>(),
            "fetched": known.fetched,
            "reachable": known.failure.is_none(),
            "failure": known.failure,
        })
    });
    Ok(json!({ "integrators": known.collect::<Vec<_>>() }))
}

fn put_integrator(call: &mut Call<'_>) -> Result<Value, Problem> {
    let integrator: Integrator = call.read()?;
    let integrator = integrator.checked().map_err(|why| Problem::bad_request("bad-integrator", why))?;
    call.world.integrators.insert(integrator.id, integrator.into());
    done()
}

fn remove_integrator(call: &mut Call<'_>) -> Result<Value, Problem> {
    let id = integrator(call)?;
    call.world.integrators.remove(&id);
    done()
}

fn fetch_keys(call: &mut Call<'_>) -> Result<Value, Problem> {
    let id = integrator(call)?;
    call.world.wanted_keys.insert(id);
    done()
}

fn integrator(call: &Call<'_>) -> Result<u16, Problem> {
    let id = call.capture(0);
    let known = id.parse().ok().filter(|id| call.world.integrators.contains_key(id));
    known.ok_or_else(|| Problem::not_found("unknown-integrator", format!("there is no integrator {id}")))
}

fn clock(call: &mut Call<'_>) -> Result<Value, Problem> {
    Ok(json!({ "now": call.clock.now(), "offset": call.clock.offset() }))
}

/// What time brings is done before the answer.
fn set_clock(call: &mut Call<'_>) -> Result<Value, Problem> {
    let offset = match call.read()? {
        ClockChange { offset: Some(offset), advance: None } => offset,
        ClockChange { offset: None, advance: Some(seconds) } => {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            call.clock.offset().saturating_add(seconds)
        }
        _ => return Err(Problem::bad_body("give either offset or advance, in seconds")),
    };
    call.clock.set_offset(offset);
    call.world.tick(call.clock.now());
    clock(call)
}

fn faults(call: &mut Call<'_>) -> Result<Value, Problem> {
    Ok(json!(call.world.faults))
}

/// Only what is named changes.
fn set_faults(call: &mut Call<'_>) -> Result<Value, Problem> {
    let changes: Map<String, Value> = call.read()?;
    call.world.faults = merged(&call.world.faults, changes)?;
    faults(call)
}

fn no_faults(call: &mut Call<'_>) -> Result<Value, Problem> {
    call.world.faults = Faults::default();
    done()
}

/// A value with some of its fields changed.
pub(super) fn merged<T: Serialize + DeserializeOwned>(
    value: &T,
    changes: Map<String, Value>,
) -> Result<T, Problem> {
    let mut whole = serde_json::to_value(value).unwrap_or_default();
    if let Some(whole) = whole.as_object_mut() {
        whole.extend(changes);
    }
    let merged = serde_path_to_error::deserialize(whole);
    merged.map_err(|error| {
        Problem::bad_body(format!("{}: {}", error.path(), plainly(&error.inner().to_string())))
    })
}

fn noise_key(call: &mut Call<'_>) -> Result<Value, Problem> {
    call.world.change_noise_key();
    done()
}

/// `?class=note` or `deviation`, `?after=NUMBER`.
fn deviations(call: &mut Call<'_>) -> Result<Value, Problem> {
    let class = match call.query("class").as_deref() {
        None => None,
        Some("note") => Some(Class::Note),
        Some("deviation") => Some(Class::Deviation),
        Some(other) => {
            let detail = format!("class is {other:?}, not note or deviation");
            return Err(Problem::bad_request("bad-query", detail));
        }
    };
    let after: u64 = call.query_number("after")?.unwrap_or(0);
    let records = call.world.journal.records();
    let wanted = records.filter(|it| it.number > after && class.is_none_or(|class| it.class == class));
    Ok(json!({ "deviations": wanted.collect::<Vec<_>>() }))
}

fn forget_deviations(call: &mut Call<'_>) -> Result<Value, Problem> {
    call.world.journal.clear();
    done()
}

fn rules(_: &mut Call<'_>) -> Result<Value, Problem> {
    let rules = clauses().map(|clause| {
        json!({
            "rule": clause.id,
            "place": clause.place,
            "class": clause.class,
            "says": clause.says,
            "source": clause.source,
            "mend": clause.mend,
            "answer": clause.answer,
            "inside": clause.grammar.map(|grammar| grammar.content.to_string()),
        })
    });
    Ok(json!({ "rules": rules.collect::<Vec<_>>() }))
}

fn pongs(call: &mut Call<'_>) -> Result<Value, Problem> {
    Ok(json!({ "pongs": call.world.pongs }))
}

fn reports(call: &mut Call<'_>) -> Result<Value, Problem> {
    Ok(json!({ "reports": call.world.reports }))
}

fn media(call: &mut Call<'_>) -> Result<Value, Problem> {
    Ok(call.world.media.asked())
}

fn upload(call: &mut Call<'_>) -> Result<Value, Problem> {
    let uploaded: Uploaded = call.read()?;
    let prefix = call.world.profile.media.whatsapp_path_prefix.clone();
    let facts = call.world.media.upload(&uploaded, &prefix, &mut call.world.rng);
    facts.map(|facts| json!(facts)).ok_or_else(|| Problem::bad_body("length or longer is out of range"))
}

fn reset(call: &mut Call<'_>) -> Result<Value, Problem> {
    call.world.reset();
    done()
}
