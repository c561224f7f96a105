//! Whatever a peer calls a direct path, nothing but that path of the one host is fetched (wa-media).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_media::DirectPath;
use wa_profile::Profile;

fuzz_target!(|text: &str| {
    let media = Profile::default().media;
    if let Ok(path) = DirectPath::from_whatsapp(text, &media) {
        let uri = path.at(&media.whatsapp_origin).unwrap();
        assert_eq!((uri.host(), uri.scheme_str()), (Some("mmg.whatsapp.net"), Some("https")));
        assert!(uri.path().starts_with("/v/t") && !uri.path().split('/').any(|segment| segment == ".."));
        assert_eq!(uri.path_and_query().map(|it| it.as_str()), Some(text));
    }
    if let Ok(path) = DirectPath::hosted("1", text, &media) {
        assert_eq!(path.as_str(), format!("/interop/whatsapp/download/1/{text}/"));
        assert!(!text.contains('/') && text != ".." && text != ".");
    }
});
