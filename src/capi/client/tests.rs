use std::ffi::{CStr, c_char, c_void};
use std::mem::{offset_of, zeroed};
use std::net::{Ipv4Addr, TcpListener};
use std::ptr::NonNull;
use std::sync::Mutex;
use std::thread;

use super::*;
use crate::send::batch::Messages;

/// A client of a service that accepts connections and never answers.
fn client_of(silent: &TcpListener, change: impl FnOnce(&mut ue_options)) -> *mut ue_client {
    let url = format!("http://{}/\0", silent.local_addr().unwrap());
    // SAFETY: all zero is valid.
    let mut options: ue_options = unsafe { zeroed() };
    options.struct_size = size_of::<ue_options>();
    options.base_url = url.as_ptr().cast();
    options.proxy = c"".as_ptr();
    change(&mut options);
    // SAFETY: the texts outlive the call.
    let client = unsafe { ue_client_new(c"key".as_ptr(), &options, ptr::null_mut()) };
    assert!(!client.is_null());
    client
}

fn silent() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

fn message() -> ue_message {
    // SAFETY: all zero is valid.
    let mut message: ue_message = unsafe { zeroed() };
    message.struct_size = size_of::<ue_message>();
    message.client_user_id = c"1".as_ptr();
    message.content = c"Hi".as_ptr();
    message.client_user_id_length = super::super::types::NUL_TERMINATED;
    message.content_length = super::super::types::NUL_TERMINATED;
    message.source_context_length = super::super::types::NUL_TERMINATED;
    message
}

#[test]
fn a_count_that_no_array_can_have_is_refused_before_anything_is_written_and_the_log_names_it() {
    unsafe extern "C" fn keep(lines: *mut c_void, _level: i32, text: *const c_char) {
        // SAFETY: the test's own.
        let (lines, text) = unsafe { (&*lines.cast::<Mutex<Vec<String>>>(), CStr::from_ptr(text)) };
        lines.lock().unwrap().push(text.to_str().unwrap().into());
    }
    let lines = Mutex::new(Vec::<String>::new());
    let silent = silent();
    let client = client_of(&silent, |options| {
        options.log = Some(keep);
        options.log_level = 1;
        options.log_user_data = (&raw const lines).cast_mut().cast();
    });
    let message = message();
    // SAFETY: none is read or written.
    let send = |count: usize, messages: *const ue_message, results: *mut *mut ue_result| unsafe {
        ue_send_conversations(client, messages, count, ptr::null(), results)
    };
    let most = isize::MAX as usize;
    for count in [usize::MAX, usize::MAX - 1, most + 1, most, most / 8, most / size_of::<ue_message>() + 1] {
        let mut untouched = NonNull::<ue_result>::dangling().as_ptr();
        assert_eq!(send(count, &message, &mut untouched), ue_status::UE_INVALID_ARGUMENT);
        assert_eq!(untouched, NonNull::dangling().as_ptr());
        let line = lines.lock().unwrap().pop().unwrap();
        assert!(line.contains(&format!("count is {count}, more than any array can have: pass")), "{line}");
    }
    let nowhere = NonNull::dangling().as_ptr();
    assert_eq!(send(usize::MAX, nowhere, nowhere.cast()), ue_status::UE_INVALID_ARGUMENT);
    // SAFETY: it is not used again.
    unsafe { ue_free(client) };
    // SAFETY: NULL is taken.
    let status = unsafe { ue_send_conversations(ptr::null_mut(), &message, usize::MAX, ptr::null(), nowhere.cast()) };
    assert_eq!(status, ue_status::UE_INVALID_ARGUMENT);
}

#[test]
fn a_count_is_measured_by_the_struct_of_the_caller() {
    let mut message = message();
    let older = offset_of!(ue_message, client_user_id_length);
    message.struct_size = older;
    let most = isize::MAX as usize / older;
    // SAFETY: it is a message.
    let check = |count| unsafe { input::check_count(&message, count) };
    assert!(check(most).is_ok() && check(0).is_ok());
    assert!(check(most + 1).is_err());
}

#[test]
fn a_recipient_is_the_same_with_and_without_a_length_and_none_where_it_cannot_be_read() {
    let mut messages = [message(); 5];
    messages[1].client_user_id = c"12".as_ptr();
    messages[1].client_user_id_length = 1;
    messages[2].client_user_id = ptr::null();
    messages[3].struct_size += size_of::<usize>();
    messages[4].client_user_id_length = 0;
    // SAFETY: the messages outlive the batch.
    let batch = unsafe { input::batch(messages.as_ptr(), messages.len()) }.unwrap();
    let recipient = |index| batch.get(index).ok().map(|message| message.recipient().to_owned());
    let recipients = [0, 1, 2, 3, 4].map(recipient);
    assert_eq!(recipients, [Some("1"), Some("1"), None, None, Some("")].map(|id| id.map(str::to_owned)));
}

#[test]
fn freeing_cancels_the_calls_in_flight_in_other_threads_and_waits_for_them() {
    struct Handle(*mut ue_client);
    // SAFETY: many threads may use a client at once.
    unsafe impl Sync for Handle {}
    let silent = silent();
    let client = Handle(client_of(&silent, |_| {}));
    thread::scope(|threads| {
        let calls: Vec<_> = (0..3)
            .map(|_| {
                threads.spawn(|| {
                    let Handle(client) = &client;
                    // SAFETY: the client is freed after the call has begun.
                    unsafe { ue_send_conversation(*client, &message(), ptr::null_mut()) }
                })
            })
            .collect();
        let connections: Vec<_> = calls.iter().map(|_| silent.accept().unwrap()).collect();
        // SAFETY: the last use.
        unsafe { ue_free(client.0) };
        for call in calls {
            assert_eq!(call.join().unwrap(), ue_status::UE_CLOSED);
        }
        drop(connections);
    });
}
