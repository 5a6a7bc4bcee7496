//! What the library says and does, without starting the program where that can be avoided.

#[path = "../sandbox_support/mod.rs"]
mod sandbox_support;
#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod bounded;
mod chain;
mod cluster_connect;
mod cluster_pace;
mod cluster_watch;
mod coverage;
mod deploy;
mod diagnosis;
mod docs;
mod embedded_hostile;
mod embedded_ways;
mod files;
mod files_hostile;
mod fix;
mod init;
mod listeners;
mod logs;
mod logs_follow;
mod needs;
mod ngf;
mod nginx_config;
mod objects_at_bounds;
mod overlay_dry_run;
mod packaging;
mod predict;
mod quoting;
mod quoting_source;
mod report;
mod report_hostile;
mod rights;
mod sandbox_hostile;
mod sandbox_kubectl;
mod sandbox_lifecycle;
mod sandbox_scenarios;
mod sandbox_secure_app;
mod sandbox_watch;
mod screens;
mod screens_elsewhere;
mod screens_every;
mod screens_export;
mod screens_lists;
mod screens_mouse;
mod screens_places;
mod screens_problems;
mod screens_question;
mod screens_recorded;
mod screens_suppressed;
mod screens_ways;
mod timeline;
mod topology;
