use serde_json::json;

use super::*;

#[test]
fn a_value_is_found_by_its_path_whatever_dots_its_keys_have() {
    let value = json!({"a": [{"b.c/d": {"e": 1}}], "a.b": 2});
    assert_eq!(at(&value, "a[0].b.c/d.e"), Some(&json!(1)));
    assert_eq!(at(&value, "a.b"), Some(&json!(2)));
    assert_eq!(at(&value, "a[1]"), None);
    assert_eq!(at(&value, "a[0].x"), None);
}

#[test]
fn what_only_the_api_server_keeps_is_no_change() {
    let live = json!({"metadata": {"resourceVersion": "1", "generation": 1,
        "annotations": {LAST_APPLIED: "{}"}}, "spec": {"a": 1}, "status": {"b": 1}});
    let stored = json!({"metadata": {"resourceVersion": "2", "generation": 2,
        "managedFields": []}, "spec": {"a": 1}});
    assert_eq!(told(&live), told(&stored));
    let changed = json!({"metadata": {"labels": {"x": "y"}}, "spec": {"a": 1}});
    assert_ne!(told(&live), told(&changed));
}
