//! gbsup's own lines in `docker logs`: marked, dated, one line each, as text or as JSON.

use std::fmt;

use jiff::Timestamp;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::config;

/// Sends everything that is traced from now on there.
pub(crate) fn start(config: config::Log, to: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(level(config.level))
        .with_ansi(false)
        .with_target(false)
        .with_writer(to);
    match config.format {
        config::Format::Text => builder.event_format(Plain).init(),
        config::Format::Json => builder.json().init(),
    }
}

fn level(level: config::Level) -> Level {
    match level {
        config::Level::Error => Level::ERROR,
        config::Level::Warn => Level::WARN,
        config::Level::Info => Level::INFO,
        config::Level::Debug => Level::DEBUG,
        config::Level::Trace => Level::TRACE,
    }
}

/// `gbsup 2026-11-22T16:40:01Z waiting: everything is up to date`.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "gbsup {:.0} ", Timestamp::now())?;
        match *event.metadata().level() {
            Level::ERROR => write!(writer, "error: ")?,
            Level::WARN => write!(writer, "warning: ")?,
            _ => {}
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
