//! The object graph: servers, services, listeners, monitors, filters.
