use super::*;

#[test]
fn versions_name_their_release() {
    for (version, release) in [
        ("2.4.2", Some(Release::V2_4)),
        ("v2.5.1", Some(Release::V2_5)),
        ("2.6.7-ubi", Some(Release::V2_6)),
        ("2.7.0", Some(Release::V2_7)),
        ("1.6.2", Some(Release::V2_4)),
        ("2.10.0", Some(Release::V2_7)),
        ("3.0.0", Some(Release::V2_7)),
        ("edge", None),
        ("", None),
        ("2", None),
    ] {
        assert_eq!(Release::of_version(version), release, "{version}");
    }
}

#[test]
fn every_release_has_its_row() {
    for (release, known) in Release::ALL.into_iter().zip(&KNOWN) {
        assert_eq!(known.release, release);
        let (major, minor) = known.version;
        let version = format!("{major}.{minor}.0");
        assert_eq!(Release::of_version(&version), Some(release));
        assert_eq!(release.to_string(), format!("{major}.{minor}"));
    }
    assert!(KNOWN.is_sorted_by_key(|known| known.version));
    assert_eq!(Release::default(), KNOWN[KNOWN.len() - 1].release);
}

#[test]
fn what_a_release_does_is_certain_of_those_that_were_read() {
    for (version, is_certain) in [
        ("2.6.0", true),
        ("v2.6.7-ubi", true),
        ("2.6.8", false),
        ("2.7.0", true),
        ("2.7.1", true),
        ("2.7.2", false),
        ("2.7.0-rc.1", false),
        ("2.7", false),
        ("2.8.0", false),
    ] {
        let said_by = ObjectRef::new(Kind::Deployment, "nginx-gateway", "ngf");
        let running = Running {
            said_by: Some((said_by, version.to_owned())),
            ..Running::default()
        };
        assert_eq!(running.writes_no_opaque_ca(), is_certain, "{version}");
    }
    assert!(!Running::default().writes_no_opaque_ca());
}

#[test]
fn images_have_a_tag_or_none() {
    for (image, expected) in [
        ("ghcr.io/nginx/nginx-gateway-fabric:2.6.7", Some("2.6.7")),
        ("registry:5000/nginx-gateway-fabric", None),
        ("registry:5000/ngf:v2.5.1@sha256:ab", Some("v2.5.1")),
        ("nginx-gateway-fabric@sha256:ab", None),
        ("", None),
    ] {
        assert_eq!(tag(image), expected, "{image}");
    }
}
