use std::fs;

use super::*;

fn config(context: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {context}\n\
             contexts: [{{name: {context}, context: {{cluster: c, user: u}}}}]\n"
    )
}

fn around(listed: &[&Path], home: Option<&Path>, is_pod: bool) -> Surroundings {
    Surroundings {
        listed: listed.iter().map(|path| path.to_path_buf()).collect(),
        home: home.map(Path::to_path_buf),
        is_pod,
    }
}

fn names(kubeconfig: &Kubeconfig) -> Vec<&str> {
    let contexts = kubeconfig.contexts.iter();
    contexts.map(|context| context.name.as_str()).collect()
}

#[test]
fn files_of_the_list_are_merged_and_absent_ones_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let [a, b, absent] = ["a", "b", "absent"].map(|name| folder.path().join(name));
    fs::write(&a, config("first")).expect("a file");
    fs::write(&b, config("second")).expect("a file");
    let options = ClusterOptions::default();
    let found = kubeconfig(&options, &around(&[&absent, &a, &b], None, false));
    let found = found.expect("readable").expect("a kubeconfig");
    assert_eq!(names(&found), ["first", "second"]);
    assert_eq!(found.current_context.as_deref(), Some("first"));

    let only_b = ClusterOptions {
        kubeconfig: Some(b),
        ..ClusterOptions::default()
    };
    let found = kubeconfig(&only_b, &around(&[&a], None, true));
    assert_eq!(
        names(&found.expect("readable").expect("a kubeconfig")),
        ["second"]
    );
}

#[test]
fn without_a_list_the_home_folder_is_looked_at_and_then_the_pod() {
    let home = tempfile::tempdir().expect("a folder");
    let options = ClusterOptions::default();
    let in_pod = kubeconfig(&options, &around(&[], Some(home.path()), true));
    assert!(in_pod.expect("no error").is_none());
    fs::create_dir(home.path().join(".kube")).expect("a folder");
    fs::write(home.path().join(".kube/config"), config("home")).expect("a file");
    let found = kubeconfig(&options, &around(&[], Some(home.path()), true));
    assert_eq!(
        names(&found.expect("readable").expect("a kubeconfig")),
        ["home"]
    );
}

#[test]
fn where_there_is_none_it_says_where_it_looked() {
    let options = ClusterOptions::default();
    for (surroundings, looked) in [
        (
            around(&[Path::new("/no/a"), Path::new("/no/b")], None, false),
            "/no/a, /no/b, which $KUBECONFIG names",
        ),
        (
            around(&[], Some(Path::new("/no")), false),
            "$KUBECONFIG, which is not set, and /no/.kube/config",
        ),
        (around(&[], None, false), "$KUBECONFIG, which is not set"),
    ] {
        let error = kubeconfig(&options, &surroundings).expect_err("there is none");
        assert_eq!(
            error.to_string(),
            format!(
                "no kubeconfig found: looked for {looked}, and this is not a pod; name one with \
                     --kubeconfig, or read manifests with -f"
            )
        );
    }
}
