//! Knows Portage.
